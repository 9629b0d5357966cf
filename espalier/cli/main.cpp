#include "espalier/cli/command.h"

int main(int argc, char** argv) {
  return espalier::cli::run_program(argc, argv);
}
