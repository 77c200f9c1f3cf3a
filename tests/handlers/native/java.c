/* A native method of Java that needs the library: `static native int answer()` of the class example.Native. */
int answer(void);

int Java_example_Native_answer(void *env, void *class) { return answer(); }
