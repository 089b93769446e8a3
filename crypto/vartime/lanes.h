// How functions over lanes are compiled.
#pragma once

// Everything between loading lanes and storing them is one function: passing an element by memory
// costs as much as adding two.
#define PSEPHOS_LANES [[gnu::always_inline]] inline
