// A shared object that is something else.
int orr_something_else(void);
int orr_something_else(void) {
    return 1;
}
