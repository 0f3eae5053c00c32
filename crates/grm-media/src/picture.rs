//! Still pictures: PNG, JPEG, WebP and GIF to eight-bit red, green and blue.

use std::io::BufReader;

use image::codecs::{gif::GifDecoder, jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError};

use crate::error::MediaError;
use crate::format::{Format, Kind};
use crate::limits::Limits;
use crate::source::Source;
use crate::{Picture, jpeg};

/// Decodes a still picture; of an animation, its first frame.
///
/// What is transparent is laid over white, grey and palettes become three channels, sixteen bits are rounded to eight, and
/// the EXIF orientation is applied. A picture that ends early is refused, never filled up.
pub fn picture(source: &Source, limits: &Limits) -> Result<Picture, MediaError> {
    let format = source.format(Kind::Picture)?;
    contained(source, || {
        let (mut decoder, orientation) = checked_decoder(source, format, limits)?;
        check_whole(source, format)?;
        let refused = |error| refused(source, &error);
        decoder.set_limits(decoder_limits(limits)).map_err(refused)?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
        image.apply_orientation(orientation);
        Ok(on_white(image))
    })
}

/// Width and height as [`picture`] gives them, from the header.
pub(crate) fn size(source: &Source, format: Format, limits: &Limits) -> Result<(u32, u32), MediaError> {
    contained(source, || {
        let (decoder, orientation) = checked_decoder(source, format, limits)?;
        let (width, height) = decoder.dimensions();
        let turned = matches!(
            orientation,
            Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
        );
        Ok(if turned { (height, width) } else { (width, height) })
    })
}

/// A panic in a decoder is one more damaged file.
pub(crate) fn contained<T>(source: &Source, decode: impl FnOnce() -> Result<T, MediaError>) -> Result<T, MediaError> {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode));
    outcome.unwrap_or_else(|_| Err(source.damaged("its decoder gave up")))
}

/// Refuses a size over the limits.
pub(crate) fn check_size(source: &Source, width: u32, height: u32, limits: &Limits) -> Result<(), MediaError> {
    let cure = "scale it down, or raise the limit";
    let what = format!("is {width} x {height} pixels");
    if width.max(height) > limits.side_pixels {
        return Err(source.over(what, format!("{} pixels a side", limits.side_pixels), cure));
    }
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(source.over(what, format!("{} pixels", limits.pixels), cure));
    }
    match width.min(height) {
        0 => Err(source.damaged(format!("it {what}"))),
        _ => Ok(()),
    }
}

/// Memory a decoder may ask for: a picture of four channels with sixteen bits, and some room.
pub(crate) fn decoder_limits(limits: &Limits) -> image::Limits {
    let mut decoder = image::Limits::default();
    decoder.max_image_width = Some(limits.side_pixels);
    decoder.max_image_height = Some(limits.side_pixels);
    decoder.max_alloc = Some(limits.pixels.saturating_mul(8).saturating_add(16 << 20));
    decoder
}

/// What a decoder's error means.
pub(crate) fn refused(source: &Source, error: &ImageError) -> MediaError {
    source.damaged(crate::error::printable(&error.to_string()))
}

fn checked_decoder(
    source: &Source,
    format: Format,
    limits: &Limits,
) -> Result<(Box<dyn ImageDecoder>, Orientation), MediaError> {
    let refused = |error| refused(source, &error);
    let mut decoder = header(source, format, limits).map_err(refused)?;
    let (width, height) = decoder.dimensions();
    check_size(source, width, height, limits)?;
    let orientation = decoder.orientation().map_err(refused)?;
    Ok((decoder, orientation))
}

/// A decoder that has read the header and allocated nothing for pixels.
fn header(source: &Source, format: Format, limits: &Limits) -> Result<Box<dyn ImageDecoder>, ImageError> {
    let reader = BufReader::new(source.reader());
    // The sides are left out, so that a size over the limit is refused in words that name it.
    let mut memory = image::Limits::no_limits();
    memory.max_alloc = decoder_limits(limits).max_alloc;
    Ok(match format {
        Format::Png => Box::new(PngDecoder::with_limits(reader, memory)?),
        Format::Jpeg => Box::new(JpegDecoder::new(reader)?),
        Format::Webp => Box::new(WebPDecoder::new(reader)?),
        _ => Box::new(GifDecoder::new(reader)?),
    })
}

/// Decoders of some formats fill a picture that ends early with grey, so its end is looked for first.
fn check_whole(source: &Source, format: Format) -> Result<(), MediaError> {
    match format {
        Format::Jpeg => jpeg::check_whole(BufReader::new(source.reader())).map_err(|fault| source.damaged(fault)),
        _ => Ok(()),
    }
}

fn on_white(image: DynamicImage) -> Picture {
    let (width, height) = (image.width(), image.height());
    let pixels = match image.color().has_alpha() {
        true => flattened(image.into_rgba8().as_raw()),
        false => image.into_rgb8().into_raw(),
    };
    Picture { width, height, pixels }
}

/// Red, green, blue and alpha over white, each rounded to the nearest.
pub(crate) fn flattened(rgba: &[u8]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        pixels.extend(pixel[..3].iter().map(|&colour| over_white(colour, pixel[3])));
    }
    pixels
}

fn over_white(colour: u8, alpha: u8) -> u8 {
    let blended = u32::from(colour) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    u8::try_from((blended + 127) / 255).expect("a mean of two bytes is a byte")
}
