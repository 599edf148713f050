int orr_nowhere(void);
int orr_nowhere(void) {
    return 7;
}
