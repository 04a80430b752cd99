#include "schedule-world.h"
START_TEST(x) { } END_TEST
SUITE("schedule-walk", x)
