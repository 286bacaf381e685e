noinst_LIBRARIES += %D%/libapi.a
%C%_libapi_a_SOURCES = \
    %D%/admin.c \
    %D%/alter.c \
    %D%/api.h %D%/api_priv.h \
    %D%/configs.c \
    %D%/dispatch.c \
    %D%/fetch.c \
    %D%/group_records.c %D%/group_records.h \
    %D%/groups.c \
    %D%/lists.c \
    %D%/metadata.c \
    %D%/offsets.c \
    %D%/produce.c \
    %D%/producer.c
EXTRA_DIST += %D%/README.md
