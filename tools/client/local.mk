# tools/client: see README.md
noinst_LIBRARIES += %D%/libclient.a
%C%_libclient_a_SOURCES = \
    %D%/client.c %D%/client.h %D%/client_priv.h \
    %D%/groups.c \
    %D%/http_get.c %D%/http_get.h \
    %D%/membership.c %D%/membership.h \
    %D%/peer.c %D%/peer.h \
    %D%/reader.c %D%/reader.h \
    %D%/topics.c \
    %D%/txn.c %D%/txn.h \
    %D%/writer.c %D%/writer.h
CLIENT_LIBS = %D%/libclient.a broker/wire/libwire.a broker/record/librecord.a \
    broker/base/libbase.a
EXTRA_DIST += %D%/README.md
