# tests/story
