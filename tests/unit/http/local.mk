# tests/unit/http: the HTTP front and what serve is told
if HAVE_CMOCKA
HTTP_KIT_TESTS = %D%/chain %D%/front %D%/metrics %D%/settle %D%/streams %D%/views
HTTP_TESTS = $(HTTP_KIT_TESTS) %D%/settings
check_PROGRAMS += $(HTTP_TESTS)
TESTS += $(HTTP_TESTS)
HTTP_KIT = %D%/kit.c %D%/kit.h
HTTP_TEST_LIBS = tools/libappliance.a tools/libtools.a $(CLIENT_LIBS) \
    $(APPLIANCE_LIBS) $(CMOCKA_LIBS) $(PENSTOCK_SYSTEM_LIBS)

%C%_chain_SOURCES = %D%/chain.c $(HTTP_KIT)
%C%_chain_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwritev -Wl,--wrap=fdatasync
%C%_chain_LDADD = $(HTTP_TEST_LIBS)
%C%_front_SOURCES = %D%/front.c $(HTTP_KIT)
%C%_front_LDADD = $(HTTP_TEST_LIBS)
%C%_metrics_SOURCES = %D%/metrics.c $(HTTP_KIT)
%C%_metrics_LDADD = $(HTTP_TEST_LIBS)
%C%_settle_SOURCES = %D%/settle.c $(HTTP_KIT)
%C%_settle_LDADD = $(HTTP_TEST_LIBS)
%C%_streams_SOURCES = %D%/streams.c $(HTTP_KIT)
%C%_streams_LDADD = $(HTTP_TEST_LIBS)
%C%_views_SOURCES = %D%/views.c $(HTTP_KIT)
%C%_views_LDADD = $(HTTP_TEST_LIBS)
%C%_settings_SOURCES = %D%/settings.c
%C%_settings_LDADD = $(PENSTOCK_LIBS) $(CMOCKA_LIBS) $(PENSTOCK_SYSTEM_LIBS)
endif
