//! Pictures come out as eight-bit red, green and blue, whatever they were.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod fixtures;

use fixtures::*;
use grm_media::{Kind, Limits, Picture, picture, probe};
use image::{DynamicImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, Rgba, RgbaImage};

fn decoded(bytes: &[u8]) -> Picture {
    picture(&source("picture", bytes), &Limits::default()).unwrap()
}

#[test]
fn lossless_formats_give_the_very_pixels() {
    let image = gradient(33, 21);
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let found = decoded(&encoded(image.clone(), format));
        assert_eq!((found.width, found.height), (33, 21));
        assert_eq!(found.pixels, *image.as_raw());
    }
}

#[test]
fn jpeg_is_close() {
    let image = gradient(64, 48);
    let found = decoded(&encoded(image.clone(), ImageFormat::Jpeg));
    let worst = found.pixels.iter().zip(image.as_raw()).map(|(is, should)| is.abs_diff(*should)).max().unwrap();
    assert!(worst < 24, "{worst}");
}

#[test]
fn what_is_transparent_lies_over_white() {
    let image = RgbaImage::from_fn(4, 1, |x, _| Rgba([200, 0, 100, [0, 85, 170, 255][x as usize]]));
    let expected = [255, 255, 255, 237, 170, 203, 218, 85, 152, 200, 0, 100];
    assert_eq!(decoded(&encoded(image, ImageFormat::Png)).pixels, expected);
    let grey = ImageBuffer::<LumaA<u8>, _>::from_pixel(1, 1, LumaA([0, 51]));
    assert_eq!(decoded(&encoded(grey, ImageFormat::Png)).pixels, [204; 3]);
}

#[test]
fn grey_palettes_and_sixteen_bits_become_three_bytes() {
    let grey = GrayImage::from_pixel(2, 2, Luma([77]));
    assert_eq!(decoded(&encoded(grey, ImageFormat::Png)).pixels, [77; 12]);
    let deep = ImageBuffer::<Rgb<u16>, _>::from_pixel(1, 1, Rgb([0, 257 * 99, u16::MAX]));
    assert_eq!(decoded(&encoded(DynamicImage::ImageRgb16(deep), ImageFormat::Png)).pixels, [0, 99, 255]);
    let palette = gif(&[(plain([10, 200, 30]), 100)]);
    assert_eq!(decoded(&palette).pixels[..3], [10, 200, 30]);
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let animation = gif(&[(plain([250, 0, 0]), 100), (plain([0, 250, 0]), 100)]);
    assert_eq!(decoded(&animation).pixels[..3], [250, 0, 0]);
}

/// A JPEG file that says, in EXIF, that its picture lies on its side.
fn turned(orientation: u8) -> Vec<u8> {
    let jpeg = encoded(gradient(48, 16), ImageFormat::Jpeg);
    let mut exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    exif[29] = orientation;
    [&jpeg[..2], &exif, &jpeg[2..]].concat()
}

#[test]
fn the_orientation_in_exif_is_applied() {
    let upright = decoded(&turned(1));
    assert_eq!((upright.width, upright.height), (48, 16));
    let turned = turned(6);
    let found = decoded(&turned);
    assert_eq!((found.width, found.height), (16, 48));
    // A quarter to the right: the first row becomes the last column.
    let last_column: Vec<&[u8]> = found.pixels.chunks(3).skip(15).step_by(16).collect();
    let first_row: Vec<&[u8]> = upright.pixels.chunks(3).take(48).collect();
    assert_eq!(last_column, first_row);
    let facts = probe(&source("turned.jpg", &turned), Kind::Picture, &Limits::default()).unwrap();
    assert_eq!(facts.size, Some((16, 48)));
}

#[test]
fn real_pictures() {
    for (name, width, height) in [("photo_coffee_cc0.png", 600, 400), ("photo_cat_chelsea_cc0.png", 451, 300)] {
        let Some(bytes) = shared(name) else { continue };
        let facts = probe(&source(name, &bytes), Kind::Picture, &Limits::default()).unwrap();
        assert_eq!(facts.size, Some((width, height)), "{name}");
        assert_eq!((decoded(&bytes).width, decoded(&bytes).height), (width, height));
    }
    for name in ["image_green_dots_bars.jpg", "image_red_circle_blue_square.png"] {
        let Some(bytes) = shared(name) else { continue };
        let picture = decoded(&bytes);
        assert_eq!(picture.pixels.len(), picture.width as usize * picture.height as usize * 3);
    }
}
