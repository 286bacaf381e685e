noinst_LIBRARIES += %D%/libnet.a
%C%_libnet_a_SOURCES = %D%/address.c %D%/address.h %D%/loop.c %D%/loop.h \
    %D%/net.c %D%/net.h
EXTRA_DIST += %D%/README.md
