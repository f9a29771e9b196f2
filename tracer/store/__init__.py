"""The store: tables, migrations, views, the single writer, and read-only connections."""
