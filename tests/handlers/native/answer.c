/* The library of the layer `native`. */
int answer(void) { return 42; }
