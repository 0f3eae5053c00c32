//! How the C library hands out memory while a network is trained.

/// Lets freed memory stay with the process and serves all threads from one place.
///
/// Training frees and takes blocks of many megabytes for every tensor operation. By default glibc gives each back to the
/// system and takes it again, and the system clears every page: a quarter of the time of a step.
pub(crate) fn keep_freed_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const KEPT_BYTES_MAX: i32 = i32::MAX;
        let settings = [
            (libc::M_ARENA_MAX, 1),
            (libc::M_MMAP_MAX, 0),
            (libc::M_TRIM_THRESHOLD, KEPT_BYTES_MAX),
            (libc::M_TOP_PAD, 256 << 20),
        ];
        for (setting, value) in settings {
            // SAFETY: mallopt takes two plain numbers and may be called at any time; an unknown setting is refused.
            unsafe { libc::mallopt(setting, value) };
        }
    }
}
