# Sourced by quickstart.sh and test.sh: makes sure that what the build needs is there.
# llama.cpp is compiled from source, which takes a C++ compiler, cmake and libclang (for its bindings).

need=()
command -v c++ >/dev/null || need+=(g++)
command -v make >/dev/null || command -v ninja >/dev/null || need+=(make)
command -v cmake >/dev/null || need+=(cmake)
if [ -z "${LIBCLANG_PATH:-}" ] && ! ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* /usr/lib64/libclang*.so* \
    /Library/Developer/CommandLineTools/usr/lib/libclang.dylib /opt/homebrew/opt/llvm/lib/libclang.dylib >/dev/null 2>&1; then
  need+=(libclang-dev)
fi

if [ ${#need[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; then
    echo "Installing what the build needs and this machine lacks: ${need[*]}" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
  else
    echo "The build needs: ${need[*]} (Debian's names). Please install them and run this again." >&2
    echo "  Fedora: dnf install gcc-c++ make cmake clang-devel    macOS: xcode-select --install; brew install cmake llvm" >&2
    exit 1
  fi
fi

command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup, then run this again." >&2; exit 1; }
