# tests/unit/net
if HAVE_CMOCKA
check_PROGRAMS += %D%/net
TESTS += %D%/net
%C%_net_SOURCES = %D%/net.c
%C%_net_LDADD = broker/net/libnet.a broker/base/libbase.a \
    $(LIBEVENT_LIBS) $(CMOCKA_LIBS)
endif
