# proto: generated code appears in the build tree only, since it must match
# the protobuf-c that is installed.
PROTOS = %D%/store.proto %D%/shop.proto
EXTRA_DIST += $(PROTOS) %D%/README.md
PROTO_C = %D%/store.pb-c.c %D%/shop.pb-c.c
PROTO_H = %D%/store.pb-c.h %D%/shop.pb-c.h

noinst_LIBRARIES += %D%/libproto.a
nodist_%C%_libproto_a_SOURCES = $(PROTO_C) $(PROTO_H)
BUILT_SOURCES += $(PROTO_H)
CLEANFILES += $(PROTO_C) $(PROTO_H)

# protoc-c writes both files; the C file stands for the pair. Its macros cast
# const away, in code that includes them too: through an integer, no compiler
# minds.
SUFFIXES = .proto .pb-c.c .pb-c.h
.proto.pb-c.c:
	$(AM_V_GEN)n=`basename $@ .c` && d=$(@D)/.$$n && $(MKDIR_P) $$d && \
	$(PROTOC_C) -I$(<D) --c_out=$$d $< && \
	sed 's/(char \*)protobuf_c_empty/(char *)(uintptr_t)protobuf_c_empty/g' \
	    $$d/$$n.h > $(@D)/$$n.h && \
	mv $$d/$$n.c $@ && rm -rf $$d
.pb-c.c.pb-c.h:
	@test -s $@ || { rm -f $<; $(MAKE) $(AM_MAKEFLAGS) $<; }
