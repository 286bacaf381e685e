# tests of broker/base, a program for each noun
if HAVE_CMOCKA
base_tests = %D%/arena \
    %D%/buf \
    %D%/crc32c \
    %D%/diag \
    %D%/err \
    %D%/histogram \
    %D%/json \
    %D%/omap \
    %D%/pool \
    %D%/table \
    %D%/thread \
    %D%/uuid \
    %D%/varint \
    %D%/world
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
base_libs = broker/base/libbase.a $(CMOCKA_LIBS) $(XXHASH_LIBS)
%C%_arena_SOURCES = %D%/arena.c %D%/seed.h
%C%_arena_LDADD = $(base_libs)
%C%_buf_SOURCES = %D%/buf.c %D%/seed.h
%C%_buf_LDADD = $(base_libs)
%C%_crc32c_SOURCES = %D%/crc32c.c %D%/seed.h
%C%_crc32c_LDADD = $(base_libs)
%C%_diag_SOURCES = %D%/diag.c
%C%_diag_LDADD = $(base_libs) $(JANSSON_LIBS)
%C%_err_SOURCES = %D%/err.c
%C%_err_LDADD = $(base_libs)
%C%_histogram_SOURCES = %D%/histogram.c %D%/seed.h
%C%_histogram_LDADD = $(base_libs)
%C%_json_SOURCES = %D%/json.c %D%/seed.h
%C%_json_LDADD = $(base_libs) $(JANSSON_LIBS)
%C%_omap_SOURCES = %D%/omap.c %D%/seed.h
%C%_omap_LDADD = $(base_libs)
%C%_pool_SOURCES = %D%/pool.c %D%/seed.h
%C%_pool_LDADD = $(base_libs)
%C%_table_SOURCES = %D%/table.c %D%/seed.h
%C%_table_LDADD = $(base_libs)
%C%_thread_SOURCES = %D%/thread.c
%C%_thread_LDADD = $(base_libs)
%C%_uuid_SOURCES = %D%/uuid.c
%C%_uuid_LDADD = $(base_libs)
%C%_varint_SOURCES = %D%/varint.c %D%/seed.h
%C%_varint_LDADD = $(base_libs)
%C%_world_SOURCES = %D%/world.c
%C%_world_LDADD = $(base_libs)
endif
