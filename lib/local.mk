# lib: the library that programs outside of the tree link: all rooms in one
# object whose only names are those of the public headers. Static: what runs
# is one binary.
LIBPENSTOCK_PARTS = $(PENSTOCK_LIBS) streams/task/libdriver.a

penstocklibdir = $(libdir)
penstocklib_DATA = libpenstock.a
pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %D%/libpenstock.pc
penstockincludedir = $(includedir)/penstock
penstockinclude_HEADERS = streams/penstock/streams.h \
    streams/penstock/driver.h
EXTRA_DIST += examples/wordcount.c
CLEANFILES += libpenstock.a libpenstock.o

libpenstock.a: $(LIBPENSTOCK_PARTS)
	$(AM_V_GEN)rm -f $@ libpenstock.o && \
	$(CC) -nostdlib -r -o libpenstock.o -Wl,--whole-archive \
	    `printf '%s\n' $(LIBPENSTOCK_PARTS) | awk '!seen[$$0]++'` \
	    -Wl,--no-whole-archive && \
	$(OBJCOPY) --localize-hidden libpenstock.o && \
	$(AR) rc $@ libpenstock.o && $(RANLIB) $@ && rm -f libpenstock.o
