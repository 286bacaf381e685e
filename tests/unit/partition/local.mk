# tests/unit/partition
