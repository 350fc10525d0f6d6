from bombs.collection import add_repeats, bombs_of

bomb = bombs_of("ppm")


def ppm_with(part):
    return [b"P6\n", part, b"4 4 255\n", bytes(48)]


add_repeats(bomb, ppm_with, spaces=b" ", comments=b"# \r \n")


@bomb
def comment(size):
    return ppm_with(b"#" + b"x" * size + b"\n")


@bomb
def plain_comments(size):
    return [b"P2 4 4 255\n", b"#\n" * (size // 2), b"1 " * 16]


@bomb
def plain_zeros(size):
    return [b"P2 4 4 255\n", b"0" * size, b" 1" * 15]
