//! Inputs of the towers against the published processors' own; see `goldens/README.md`.

use std::path::{Path, PathBuf};

use grm_model::omni::preprocess::{
    Bicubic, FREQUENCY_BINS, HOP_SAMPLES, MEL_BINS, Mel, PATCH_VALUES, PixelBounds, PreprocessError, SAMPLES_MAX,
    SAMPLES_MIN, Size, image_patches, log_mel, mel_filters, patches, resize, smart_resize, video_patches,
    video_second_per_grid,
};
use safetensors::{Dtype, SafeTensors};

/// Our f64 against the processor's f32: 9.5e-6 and 1.2e-5 were measured on the two sounds.
const FEATURES: f32 = 2e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/preproc").join(name)
}

struct Golden(Vec<u8>);

impl Golden {
    fn open(name: &str) -> Self {
        Self(std::fs::read(golden(name)).expect(name))
    }

    fn shape(&self, name: &str) -> Vec<usize> {
        SafeTensors::deserialize(&self.0).expect("a whole file").tensor(name).expect(name).shape().to_vec()
    }

    fn bytes(&self, name: &str, dtype: Dtype) -> Vec<u8> {
        let tensors = SafeTensors::deserialize(&self.0).expect("a whole file");
        let tensor = tensors.tensor(name).expect(name);
        assert_eq!(tensor.dtype(), dtype, "{name}");
        tensor.data().to_vec()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        self.bytes(name, Dtype::F32).as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    fn integers(&self, name: &str) -> Vec<usize> {
        let bytes = self.bytes(name, Dtype::I64);
        bytes.as_chunks().0.iter().map(|&bytes| i64::from_le_bytes(bytes) as usize).collect()
    }
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn sizes_equal_the_table() {
    let tables: serde_json::Value = serde_json::from_slice(&std::fs::read(golden("tables.json")).unwrap()).unwrap();
    let rows: Vec<[usize; 6]> = serde_json::from_value(tables["smart_resize_rows"].clone()).unwrap();
    assert_eq!(rows.len(), 36);
    for [height, width, min, max, to_height, to_width] in rows {
        let found = smart_resize(height, width, PixelBounds { min, max });
        assert_eq!(found, Ok([to_height, to_width]), "{height} x {width} in {min}..{max}");
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    let image = PixelBounds::IMAGE;
    assert_eq!(smart_resize(0, 5, image), Err(PreprocessError::EmptyPicture { width: 5, height: 0 }));
    assert_eq!(smart_resize(2010, 10, image), Err(PreprocessError::AspectRatio { width: 10, height: 2010 }));
    assert!(smart_resize(2000, 10, image).is_ok());
    for (min, max) in [(0, 5000), (5000, 4000), (1, 700)] {
        assert_eq!(smart_resize(56, 56, PixelBounds { min, max }), Err(PreprocessError::Bounds { min, max }));
    }
}

#[test]
fn long_clips_share_a_budget() {
    let bounds = PixelBounds::OMNI_VIDEO;
    assert_eq!(bounds.for_frames(4), bounds);
    assert_eq!(bounds.for_frames(768).max, 235_200);
    assert_eq!(bounds.for_frames(1_000_000).max, 105_369);
}

#[test]
fn a_resized_picture_equals_torchvision_and_pillow() {
    let golden = Golden::open("image.safetensors");
    let rgb = golden.bytes("rgb", Dtype::U8);
    let [from, to] = [Size { height: 75, width: 100 }, Size { height: 84, width: 112 }];
    assert_eq!(resize(&rgb, from, to, Bicubic::Pillow), golden.bytes("resized_pil_bicubic_u8", Dtype::U8));

    let found = image_patches(&rgb, 100, 75, PixelBounds::IMAGE).unwrap();
    assert_eq!(found.grid.to_vec(), golden.integers("image_grid_thw"));
    assert_eq!((found.values.len(), found.tokens()), (48 * PATCH_VALUES, 12));
    assert_eq!(found.values, golden.floats("torchvision.pixel_values"));

    let pillow = patches(&[&rgb], from, PixelBounds::IMAGE, Bicubic::Pillow).unwrap();
    let apart = largest_difference(&pillow.values, &found.values);
    let grey_level = 1.0 / (255.0 * 0.261);
    println!("torchvision and Pillow differ by {apart}, {:.2} grey levels", apart / grey_level);
    assert!((0.9 * grey_level..1.1 * grey_level).contains(&apart), "{apart}");
}

#[test]
fn a_picture_that_needs_no_resizing_equals_the_reference() {
    let golden = Golden::open("image.safetensors");
    let found = image_patches(&golden.bytes("noresize.rgb", Dtype::U8), 84, 56, PixelBounds::IMAGE).unwrap();
    assert_eq!(found.grid.to_vec(), golden.integers("noresize.image_grid_thw"));
    assert_eq!(found.values, golden.floats("noresize.pixel_values"));
}

#[test]
fn a_clip_of_odd_length_equals_the_reference() {
    let golden = Golden::open("video.safetensors");
    assert_eq!(golden.shape("rgb"), [5, 60, 80, 3]);
    let rgb = golden.bytes("rgb", Dtype::U8);
    let frames: Vec<&[u8]> = rgb.chunks_exact(60 * 80 * 3).collect();
    let bounds = PixelBounds { min: 3136, ..PixelBounds::OMNI_VIDEO };
    let found = video_patches(&frames, 80, 60, bounds).unwrap();
    assert_eq!(found.grid.to_vec(), golden.integers("video_grid_thw"));
    assert_eq!(found.values, golden.floats("pixel_values_videos"));
}

#[test]
fn a_picture_that_shrinks_keeps_its_brightness() {
    let [from, to] = [Size { height: 97, width: 233 }, Size { height: 28, width: 56 }];
    for variant in [Bicubic::Torchvision, Bicubic::Pillow] {
        let grey = vec![137; from.height * from.width * 3];
        assert!(resize(&grey, from, to, variant).iter().all(|&byte| byte == 137), "{variant:?}");
        let stripes: Vec<u8> = (0..grey.len()).map(|place| if place / 3 % 2 == 0 { 0 } else { 200 }).collect();
        let found = resize(&stripes, from, to, variant);
        assert!(found.iter().all(|&byte| (90..110).contains(&byte)), "stripes finer than a pixel become their mean");
    }
}

#[test]
fn pixels_that_do_not_fit_are_refused() {
    let bytes = PreprocessError::Bytes { frame: 1, expected: 56 * 56 * 3, found: 5 };
    let frame = vec![0; 56 * 56 * 3];
    assert_eq!(video_patches(&[&frame, &frame[..5]], 56, 56, PixelBounds::VL_VIDEO), Err(bytes));
    assert_eq!(video_patches(&[], 56, 56, PixelBounds::VL_VIDEO), Err(PreprocessError::NoFrames));
}

#[test]
fn mel_filters_equal_the_reference() {
    let found: Vec<f32> = mel_filters().as_flattened().iter().map(|&weight| weight as f32).collect();
    let golden = Golden::open("audio.safetensors");
    assert_eq!(golden.shape("mel_filters"), [FREQUENCY_BINS, MEL_BINS]);
    let difference = largest_difference(&found, &golden.floats("mel_filters"));
    println!("mel filters differ by {difference}");
    assert!(difference < 1e-8, "{difference}");
}

/// The first `frames` of each band of stored features.
fn features(golden: &Golden, name: &str, frames: usize) -> Vec<f32> {
    let stored = golden.shape(name)[1];
    golden.floats(name).chunks_exact(stored).flat_map(|band| &band[..frames]).copied().collect()
}

#[test]
fn features_of_sounds_equal_the_reference() {
    let golden = Golden::open("audio.safetensors");
    for name in ["a", "b"] {
        let Mel { values, frames } = log_mel(&golden.floats(&format!("{name}.samples"))).unwrap();
        assert_eq!(vec![frames], golden.integers(&format!("{name}.num_frames")));
        let difference = largest_difference(&values, &features(&golden, &format!("{name}.input_features"), frames));
        println!("features of {name} differ by {difference}");
        assert!(difference < FEATURES, "{name}: {difference}");
    }
    let exact = log_mel(&golden.floats("a.samples")).unwrap();
    let difference = largest_difference(&exact.values, &golden.floats("a.numpy_f64_path"));
    println!("features of a differ from the f64 path by {difference}");
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn the_last_frame_sees_silence_and_no_mirror() {
    let golden = Golden::open("audio.safetensors");
    let found = log_mel(&golden.floats("a.samples")).unwrap();
    let mirrored = golden.floats("a.unpadded.input_features");
    let apart = |frame: usize| {
        let of = |values: &[f32]| (0..MEL_BINS).map(|band| values[band * 130 + frame]).collect::<Vec<_>>();
        largest_difference(&of(&found.values), &of(&mirrored))
    };
    assert!(apart(128) < FEATURES, "{}", apart(128));
    assert!(apart(129) > 0.1, "{}", apart(129));
}

#[test]
fn silence_and_full_length_have_features() {
    let silence = log_mel(&[0.0; SAMPLES_MIN]).unwrap();
    assert_eq!(silence.frames, 3);
    assert!(silence.values.iter().all(|&value| value == -1.5));

    let tone: Vec<f32> = (0..SAMPLES_MAX).map(|place| (place as f32 * 0.3).sin()).collect();
    let full = log_mel(&tone).unwrap();
    assert_eq!(full.frames, SAMPLES_MAX / HOP_SAMPLES);
    assert!(full.values.iter().all(|value| value.is_finite()));
}

#[test]
fn sounds_that_cannot_be_heard_whole_are_refused() {
    let short = PreprocessError::TooShort { samples: 320, min: 321 };
    assert_eq!(log_mel(&[0.1; 320]), Err(short));
    let long = vec![0.0; SAMPLES_MAX + 1];
    assert!(matches!(log_mel(&long), Err(PreprocessError::TooLong { .. })));
    let mut broken = [0.1; 400];
    broken[7] = f32::NAN;
    assert_eq!(log_mel(&broken), Err(PreprocessError::NotFinite(7)));
}

#[test]
fn time_between_pairs_follows_the_rate() {
    assert_eq!(video_second_per_grid(4.0), Ok(0.5));
    assert_eq!(video_second_per_grid(2.0), Ok(1.0));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(video_second_per_grid(rate).is_err(), "{rate}");
    }
}
