# GCC's `_tile_loadconfig` (seen in 12.2) tells the optimiser that it reads 8 bytes of a 64-byte struct. The other stores
# are then dropped as dead, and llama.cpp's AMX kernels die of an illegal instruction on machines that have AMX. Without
# the macro those kernels are not built and the AVX-512 ones are used. Clang is not affected.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-U__AMX_INT8__>)
endif()
