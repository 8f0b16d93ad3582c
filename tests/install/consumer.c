// SPDX-License-Identifier: MIT
// The smallest user of an installed weft: run.sh builds it in every way weft can be found, as C and
// as C++, and compares what it prints.
#include <stdio.h>
#include <weft.h>

int main(void) {
    printf("%s %s\n", weft_version(), weft_strerror(WEFT_EADDRESS));
    return 0;
}
