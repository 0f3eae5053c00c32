/* Included before every source of llama.cpp when GCC compiles it for a machine with AMX (see llama.cmake).
 *
 * GCC's own definitions (seen in 12.2) do not say that these instructions read memory: `_tile_loadconfig` claims 8 bytes
 * of a 64-byte struct, `_tile_loadd` none at all. The optimiser then drops the stores they depend on, and the AMX
 * kernels die of an illegal instruction. These definitions say it. */
#if defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

#undef _tile_loadconfig
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg\t%0" ::"m"(*(const char(*)[64])(config)) : "memory")

#undef _tile_loadd
#define _tile_loadd(tile, base, stride) grm_tile_loadd(tile, base, stride)
#define grm_tile_loadd(tile, base, stride)                                                                             \
    __asm__ volatile("{tileloadd\t(%0,%1,1), %%tmm" #tile "|tileloadd\t%%tmm" #tile ", [%0+%1*1]}" ::"r"(              \
                         (const void *)(base)),                                                                        \
                     "r"((long)(stride))                                                                               \
                     : "memory")
#endif
