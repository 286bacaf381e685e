/* penstock.c: the program: all commands, and the applications that come with
 * the appliance. */
#include "config.h"

#include "penstock/streams.h"

int
main(int argc, char **argv)
{
    static const struct ps_app none[] = {{NULL, NULL, NULL}};

    return penstock_main(argc, argv, none);
}
