# tools: see README.md
include tools/client/local.mk
include tools/retail/local.mk
include tools/offline/local.mk
include tools/bench/local.mk

# Everything that commands are made of, but not their table: so a test takes
# what it needs, and only that is linked.
noinst_LIBRARIES += %D%/libtools.a
%C%_libtools_a_SOURCES = \
    %D%/cli.c %D%/cli.h %D%/exits.tbl \
    %D%/csv.c %D%/csv.h \
    %D%/fail.c \
    %D%/format.c %D%/format.h \
    %D%/lines.c %D%/lines.h \
    %D%/near.c %D%/near.h \
    %D%/parse.c %D%/parse.h \
    %D%/payload.c %D%/payload.h %D%/payloads.tbl \
    %D%/sheet.c %D%/sheet.h

# A running Penstock, with its HTTP front.
noinst_LIBRARIES += %D%/libappliance.a
%C%_libappliance_a_SOURCES = \
    %D%/appliance.c %D%/appliance.h \
    %D%/http.c %D%/http.h %D%/http_priv.h \
    %D%/http_info.c \
    %D%/http_metrics.c \
    %D%/http_streams.c \
    %D%/http_views.c \
    %D%/http_wait.c
APPLIANCE_LIBS = %D%/libappliance.a streams/services/libservices.a \
    streams/task/libtask.a streams/topology/libtopology.a \
    streams/port/libport.a streams/serde/libserde.a \
    broker/api/libapi.a broker/net/libnet.a broker/partition/libpartition.a \
    broker/txn/libtxn.a broker/group/libgroup.a broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/wire/libwire.a broker/record/librecord.a proto/libproto.a \
    broker/base/libbase.a

# The commands. A new one: its file here, its row in commands.tbl.
noinst_LIBRARIES += %D%/libcommands.a
%C%_libcommands_a_SOURCES = \
    %D%/commands.h %D%/commands.tbl \
    %D%/completion.c \
    %D%/consume.c \
    %D%/crash.c %D%/crash.h \
    %D%/dev.c \
    %D%/group.c \
    %D%/seek.c \
    %D%/help.c \
    %D%/letters.c %D%/letters.h \
    %D%/main.c \
    %D%/offline/commands.c \
    %D%/produce.c \
    %D%/serve.c %D%/serve.h \
    %D%/settings.c %D%/settings.h %D%/settings.tbl \
    %D%/topic.c %D%/topic.h \
    %D%/topic_config.c \
    %D%/topic_trim.c \
    %D%/txn.c \
    %D%/version.c \
    %D%/views.c %D%/views.h

# In the order of dependence: who calls comes before who is called.
PENSTOCK_LIBS = %D%/libcommands.a %D%/offline/liboffline.a $(RETAIL_LIBS) %D%/bench/libbench.a \
    %D%/libappliance.a %D%/libtools.a $(CLIENT_LIBS) $(APPLIANCE_LIBS)
PENSTOCK_SYSTEM_LIBS = $(LIBEVENT_LIBS) $(LMDB_LIBS) $(PROTOBUF_C_LIBS) \
    $(CODECS_LIBS) $(XXHASH_LIBS) $(JANSSON_LIBS) -lm

bin_PROGRAMS += penstock
penstock_SOURCES = %D%/penstock.c
penstock_LDADD = $(PENSTOCK_LIBS) $(PENSTOCK_SYSTEM_LIBS)

EXTRA_DIST += %D%/README.md
dist_man_MANS += %D%/man/penstock.1 \
    %D%/man/penstock-bench.1 \
    %D%/man/penstock-consume.1 \
    %D%/man/penstock-dev.1 \
    %D%/man/penstock-group.1 \
    %D%/man/penstock-produce.1 \
    %D%/man/penstock-serve.1 \
    %D%/man/penstock-stock.1 \
    %D%/man/penstock-streams.1 \
    %D%/man/penstock-topic.1 \
    %D%/man/penstock-txn.1
