// A module as another build would have left it: the symbols are there, the text differs.
extern "C" const char* espalier_engine_abi() {
  return "espalier engine 0";
}
extern "C" void* espalier_create_engine() {
  return nullptr;
}
