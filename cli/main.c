#include "cli/cli.h"

int main(int argc, char **argv) {
    return orr_cli_main(argc, argv);
}
