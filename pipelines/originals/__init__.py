"""Original recordings and their keys: downloaded, unpacked, or the user's own."""
