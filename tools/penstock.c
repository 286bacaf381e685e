/* penstock.c: the program: all commands, and the applications that come with
 * the appliance. */
#include "config.h"

#include "penstock/streams.h"
#include "services/services.h"

int
main(int argc, char **argv)
{
    return penstock_main(argc, argv, services_apps);
}
