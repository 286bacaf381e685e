/*
 * retail.h: what the commands of the demo share: which lines are played.
 */
#ifndef RETAIL_RETAIL_H
#define RETAIL_RETAIL_H

#include "cli.h"
#include "retail/sales.h"

/* clang-format off */
#define RETAIL_OPTS                                                            \
    {0, "dataset", "FILE", "the retail data, CSV or gzipped; else made up"},   \
    {0, "lines", "N", "its first N lines (all)"},                              \
    {0, "orders", "N", "so many lines made up (100000)"},                      \
    {0, "seed", "N", "of what is made up (1)"},                                \
    {0, "until", "TIME", "of the last line made up (now)"}
#define RETAIL_HTTP_OPT                                                        \
    {0, "http", "URL", "where the front is (http://127.0.0.1:8080; "           \
                       "$PENSTOCK_HTTP)"}
/* clang-format on */

struct retail_conf {
    struct sales_conf sales;
    bool given;                  /* some option of RETAIL_OPTS was */
};

int retail_conf(const struct cli *, struct retail_conf *, struct err *);

/* 1234567 as 1,234,567; room for 32. */
char *retail_number(char *room, int64_t);

#endif
