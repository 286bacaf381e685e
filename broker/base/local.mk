# broker/base: see README.md
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES = \
    %D%/alloc.c %D%/alloc.h \
    %D%/arena.c %D%/arena.h \
    %D%/buf.c %D%/buf.h \
    %D%/check.h \
    %D%/chunk.c %D%/chunk.h \
    %D%/crc32c.c %D%/crc32c.h %D%/crc32c_priv.h \
    %D%/crc32c_arm.c %D%/crc32c_x86.c \
    %D%/diag.c %D%/diag.h \
    %D%/endian.h \
    %D%/err.c %D%/err.h \
    %D%/histogram.c %D%/histogram.h \
    %D%/json.c %D%/json.h \
    %D%/limits.h \
    %D%/omap.c %D%/omap.h %D%/omap_node.c %D%/omap_priv.h \
    %D%/poison_priv.h \
    %D%/pool.c %D%/pool.h \
    %D%/span.h \
    %D%/table.c %D%/table.h \
    %D%/thread.c %D%/thread.h \
    %D%/uuid.c %D%/uuid.h \
    %D%/varint.c %D%/varint.h \
    %D%/world.c %D%/world.h
EXTRA_DIST += %D%/README.md
