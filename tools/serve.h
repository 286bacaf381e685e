/*
 * serve.h: the commands that are the appliance: broker, streams, HTTP front.
 */
#ifndef TOOLS_SERVE_H
#define TOOLS_SERVE_H

struct cli;
struct ps_app;
struct settings;

/* Run until a signal. cli->apps are the applications to run. */
int cmd_serve(struct cli *);
int cmd_dev(struct cli *);
int cmd_config_check(struct cli *);

/* Between the commands: runs what the settings say, and says that it is ready
 * in the form that they want. `ready` (may be NULL) is called then. Returns
 * an exit code; messages are printed. */
struct serve_ready {
    const char *bootstrap;       /* "127.0.0.1:9092" */
    const char *http;            /* "http://127.0.0.1:8080", NULL: none */
    const char *data;
    const struct ps_app *apps;   /* that run; NULL: none; as long as it does */
};
int serve_run(struct cli *, struct settings *,
    void (*ready)(void *arg, const struct serve_ready *), void *arg);

#endif
