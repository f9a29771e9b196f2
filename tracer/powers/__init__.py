"""Who else can move what was seized, and what the issuer of a token can do to it: rules on facts that others read."""
