# Mends GCC's AMX definitions for llama.cpp's kernels; amx.h says what is wrong with them. Clang is not affected.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options("$<$<COMPILE_LANGUAGE:C,CXX>:SHELL:-include ${CMAKE_CURRENT_LIST_DIR}/amx.h>")
endif()
