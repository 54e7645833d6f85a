// The header alone, twice, in the oldest C that has stdbool.h.
#include <raddle.h>
#include <raddle.h>

int main(void) { return raddle_version() == RADDLE_VERSION ? 0 : 1; }
