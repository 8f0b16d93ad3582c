// SPDX-License-Identifier: MIT
module rows

go 1.19
