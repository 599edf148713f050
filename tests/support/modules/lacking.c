// A module whose own library, nowhere.c, is not found.
int orr_nowhere(void);
int orr_lacking(void);
int orr_lacking(void) {
    return orr_nowhere();
}
