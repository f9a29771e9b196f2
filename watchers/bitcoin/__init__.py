"""The Bitcoin family: raw blocks in, movements of coins out."""
