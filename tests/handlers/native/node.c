/* A native module of Node.js that needs the library; Node-API's functions, which node itself exports, are declared here. */
int answer(void);
int napi_create_int32(void *env, int value, void **result);
int napi_set_named_property(void *env, void *object, const char *name, void *value);

void *napi_register_module_v1(void *env, void *exports) {
  void *value;
  napi_create_int32(env, answer(), &value);
  napi_set_named_property(env, exports, "answer", value);
  return exports;
}
