# tests/fuzz: each target is linked with libFuzzer's main (--enable-fuzz), else
# with one that replays its corpus, which is a test.
FUZZ_TARGETS = %D%/frame %D%/record_batch %D%/decompress %D%/journal \
    %D%/segment %D%/protobuf_in %D%/json_in
EXTRA_DIST += %D%/README.md %D%/corpus
if FUZZ
FUZZ_MAIN =
FUZZ_LINK = -fsanitize=fuzzer
else
FUZZ_MAIN = %D%/replay.c
FUZZ_LINK =
endif
FUZZ_LIBS = $(PROTOBUF_C_LIBS) $(CODECS_LIBS) $(XXHASH_LIBS)

check_PROGRAMS += $(FUZZ_TARGETS)
%C%_frame_SOURCES = %D%/frame.c $(FUZZ_MAIN)
%C%_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_frame_LDADD = broker/wire/libwire.a broker/base/libbase.a $(FUZZ_LIBS)
%C%_record_batch_SOURCES = %D%/record_batch.c $(FUZZ_MAIN)
%C%_record_batch_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_record_batch_LDADD = broker/record/librecord.a broker/base/libbase.a \
    $(FUZZ_LIBS)
%C%_decompress_SOURCES = %D%/decompress.c $(FUZZ_MAIN)
%C%_decompress_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_decompress_LDADD = broker/record/librecord.a broker/base/libbase.a \
    $(FUZZ_LIBS)
%C%_journal_SOURCES = %D%/journal.c $(FUZZ_MAIN)
%C%_journal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_journal_LDADD = broker/epoch/libepoch.a broker/plog/libplog.a \
    broker/record/librecord.a proto/libproto.a broker/base/libbase.a \
    $(LMDB_LIBS) $(FUZZ_LIBS)
%C%_segment_SOURCES = %D%/segment.c $(FUZZ_MAIN)
%C%_segment_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_segment_LDADD = broker/plog/libplog.a broker/record/librecord.a \
    broker/base/libbase.a $(FUZZ_LIBS)
%C%_protobuf_in_SOURCES = %D%/protobuf_in.c $(FUZZ_MAIN)
%C%_protobuf_in_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_protobuf_in_LDADD = streams/serde/libserde.a proto/libproto.a \
    broker/base/libbase.a $(JANSSON_LIBS) $(FUZZ_LIBS) -lm
%C%_json_in_SOURCES = %D%/json_in.c $(FUZZ_MAIN)
%C%_json_in_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LINK)
%C%_json_in_LDADD = streams/serde/libserde.a proto/libproto.a \
    broker/base/libbase.a $(JANSSON_LIBS) $(FUZZ_LIBS) -lm

dist_check_SCRIPTS += %D%/corpus.t
if !FUZZ
TESTS += %D%/corpus.t
endif

# Fuzzes each target for a while, beginning with its corpus.
FUZZ_SECONDS = 60
.PHONY: fuzz
fuzz: $(FUZZ_TARGETS)
	@for t in $(FUZZ_TARGETS); do \
	    n=$$(basename $$t); mkdir -p fuzz-found/$$n; \
	    echo "== $$n"; \
	    ./$$t -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	        -artifact_prefix=fuzz-found/$$n/ fuzz-found/$$n \
	        $(srcdir)/tests/fuzz/corpus/$$n || exit 1; \
	done
