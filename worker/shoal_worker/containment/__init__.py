"""The decoder in a process of its own that can do nothing but decode: what a hostile video takes over there
has no credentials, no network, no file but the video, and bounded memory and time.
"""
