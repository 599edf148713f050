#include "cli/cli.h"

int main(int argc, char **argv) {
    orr_cli_let_threads_sleep(argc, argv);
    return orr_cli_main(argc, argv);
}
