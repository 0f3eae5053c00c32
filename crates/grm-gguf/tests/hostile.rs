//! Damaged and hostile files: no panic, and never more memory than a file of that size could need.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    sync::atomic::{AtomicUsize, Ordering},
};

use grm_gguf::{Array, GgufFile, GgufWriter, Metadata, TensorPlan, TensorType, Value};
use proptest::{prelude::*, test_runner::TestRunner};

/// The system's allocator, counting.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes `work` held at most, beyond what was held before.
fn peak_bytes(work: impl FnOnce()) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

/// Metadata of every kind that has a length, and one tensor of every way of reading.
fn sound() -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", Value::String("llama".to_owned()));
    metadata.set("tokenizer.ggml.tokens", Value::Array(Array::String(vec!["a".to_owned(); 9])));
    metadata.set("tokenizer.ggml.token_type", Value::Array(Array::I32(vec![1; 9])));
    metadata.set("llama.context_length", Value::U32(2048));
    let plan = |name: &str, id: u32| {
        let kind = TensorType::from_id(id).unwrap();
        TensorPlan { name: name.to_owned(), shape: vec![2, 256], kind }
    };
    let plans = vec![plan("a", 0), plan("b", 8), plan("c", 12), plan("d", 14)];
    let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let mut writer = GgufWriter::create(&path, &metadata, plans.clone()).unwrap();
    for plan in plans {
        let blocks = 512 / plan.kind.block_values() * plan.kind.block_bytes();
        writer.write_raw(&plan.name, &vec![0; usize::try_from(blocks).unwrap()]).unwrap();
    }
    writer.commit().unwrap();
    fs::read(&path).unwrap()
}

/// Opens the file and reads all it has; whatever comes of it is fine.
fn read_all(path: &std::path::Path) {
    if let Ok(file) = GgufFile::open(path) {
        for tensor in file.tensors() {
            let _ = file.tensor(&tensor.name);
            let _ = file.raw(&tensor.name);
        }
    }
}

// One test, because what is counted is counted for the whole process.
#[test]
fn memory_stays_within_what_the_file_could_need() {
    let sound = sound();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let peak = peak_bytes(|| read_all(&path));
        // Buffers of a fixed size, and for each byte of a file up to 7 numbers of 4 bytes, names and rows of the table.
        assert!(peak < (2 << 20) + 64 * bytes.len(), "{peak} bytes held for a file of {}", bytes.len());
    };
    check(&sound);
    for length in 0..sound.len().min(700) {
        check(&sound[..length]);
    }
    // Every eight bytes of the header in turn become a length, count or offset nobody could meet.
    for at in 0..600 {
        for number in [u64::MAX, 16 << 20, u64::from(u32::MAX)] {
            let mut changed = sound.clone();
            changed[at..at + 8].copy_from_slice(&number.to_le_bytes());
            check(&changed);
        }
    }
    let changes = proptest::collection::vec((0..700_usize, any::<u8>()), 1..6);
    TestRunner::new(ProptestConfig::with_cases(500))
        .run(&changes, |changes| {
            let mut changed = sound.clone();
            for (at, byte) in changes {
                changed[at] = byte;
            }
            check(&changed);
            Ok(())
        })
        .unwrap();
}
