"""One decoder each: rows of a picture as its file holds them, in grey or RGB, with or without alpha."""
