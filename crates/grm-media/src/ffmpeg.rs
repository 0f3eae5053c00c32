//! Clips and sounds that are decoded by ffmpeg, as a child process.
//!
//! It may read the one file it is given, with the demuxer its content asks for (so no playlists), and decode with the
//! codecs listed here; frames and samples come raw through a pipe.

use serde::Deserialize;

use crate::child::{INPUT, run};
use crate::error::MediaError;
use crate::limits::Limits;
use crate::picture::check_size;
use crate::sound::{Heading, Mono};
use crate::source::Source;
use crate::{Picture, Sound, container};

/// Decoders of ffmpeg that may be used; names a build does not have do no harm.
const CODECS: &str = "h264,hevc,mpeg4,mpeg1video,mpeg2video,h263,msmpeg4v1,msmpeg4v2,msmpeg4,wmv1,wmv2,mjpeg,vp8,libvpx,\
                      vp9,libvpx-vp9,av1,libdav1d,libaom-av1,theora,prores,rawvideo,ffv1,\
                      aac,mp3,mp3float,mp2,mp2float,opus,libopus,vorbis,libvorbis,flac,alac,ac3,eac3,speex,libspeex,\
                      amrnb,amrwb,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw";
/// What ffprobe prints is small; this much is enough for a thousand streams.
const REPORT_BYTES: usize = 1 << 20;

/// What ffprobe says of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Streams {
    pub video: Option<Video>,
    pub sound: Option<Track>,
}

/// The first stream of moving pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Video {
    index: usize,
    /// As it is shown, after rotation.
    pub width: u32,
    pub height: u32,
    pub frames: u64,
    pub frames_per_second: f64,
}

/// The first stream of sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Track {
    index: usize,
    pub heading: Heading,
}

impl Video {
    pub(crate) fn seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "seconds are for people and limits")]
        let frames = self.frames as f64;
        frames / self.frames_per_second
    }
}

/// What is in the file, the container checked first.
pub(crate) fn streams(source: &Source, limits: &Limits) -> Result<Streams, MediaError> {
    let report = ask(source, limits, "-count_packets")?;
    let video = report.streams.iter().find(|stream| stream.is_video());
    let sound = report.streams.iter().find(|stream| stream.codec_type == "audio");
    let video = video.map(|stream| stream.video(source)).transpose()?;
    let sound = sound.map(|stream| Track { index: stream.index, heading: stream.heading(report.format.as_ref()) });
    Ok(Streams { video, sound })
}

/// How many frames decoding gives; edits in a file may leave out some of its packets.
pub(crate) fn decoded_frames(source: &Source, video: Video, limits: &Limits) -> Result<u64, MediaError> {
    let report = ask(source, limits, "-count_frames")?;
    let stream = report.streams.iter().find(|stream| stream.index == video.index);
    let counted = stream.and_then(|stream| number(stream.nb_read_frames.as_ref()));
    counted.ok_or_else(|| source.damaged("its frames cannot be counted"))
}

/// The frames with these indices, which ascend; fewer when the file has fewer.
pub(crate) fn frames(
    source: &Source,
    video: Video,
    indices: &[u64],
    limits: &Limits,
) -> Result<Vec<Picture>, MediaError> {
    let mut arguments = opening(source, &["-nostdin", "-hide_banner", "-xerror"])?;
    // One frame each: times are replaced by numbers at the pace of the output.
    let filter = format!("select='{}',settb=1/25,setpts=N", chosen(indices));
    let stream = format!("0:{}", video.index);
    let count = indices.len().to_string();
    let colours = "bicubic+accurate_rnd+full_chroma_int+bitexact";
    arguments.extend(["-i", INPUT, "-map", &stream, "-vf", &filter, "-r", "25", "-frames:v", &count].map(String::from));
    arguments.extend(
        ["-sws_flags", colours, "-threads", "1", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"].map(String::from),
    );
    let mut pictures = Pictures::default();
    run("ffmpeg", &arguments, source, limits, |piece| pictures.push(piece, source, indices.len(), limits))?;
    Ok(pictures.done)
}

/// The sound track, mixed and resampled like any other sound.
pub(crate) fn track(source: &Source, track: Track, limits: &Limits) -> Result<Sound, MediaError> {
    // The container's idea of its length may be a little off either way.
    let heading = Heading { samples: None, ..track.heading.check(source, limits)? };
    let mut arguments = opening(source, &["-nostdin", "-hide_banner", "-xerror"])?;
    let (rate, channels) = (heading.rate.to_string(), heading.channels.to_string());
    let stream = format!("0:{}", track.index);
    arguments.extend(["-i", INPUT, "-map", &stream, "-ar", &rate, "-ac", &channels].map(String::from));
    arguments.extend(["-f", "f32le", "-c:a", "pcm_f32le", "pipe:1"].map(String::from));
    let mut mono = Mono::new(source, heading, limits);
    let mut rest = Vec::new();
    let group = 4 * heading.channels;
    run("ffmpeg", &arguments, source, limits, |piece| {
        rest.extend_from_slice(piece);
        let whole = rest.len() / group * group;
        let samples =
            rest[..whole].chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let samples: Vec<f32> = samples.collect();
        rest.drain(..whole);
        mono.push(&samples)
    })?;
    mono.finish()
}

/// The sound of a file of one of ffmpeg's formats.
pub(crate) fn sound(source: &Source, limits: &Limits) -> Result<Sound, MediaError> {
    match streams(source, limits)?.sound {
        Some(found) => track(source, found, limits),
        None => Err(source.damaged("it has no sound track")),
    }
}

/// Arguments that come before the input of both programs.
fn opening(source: &Source, first: &[&str]) -> Result<Vec<String>, MediaError> {
    let format = crate::Format::of(&source.head()?);
    let format = format.ok_or_else(|| source.damaged("its format is not known"))?;
    let demuxer = format.demuxer().ok_or_else(|| source.damaged("its format is not one of ffmpeg's"))?;
    container::check_whole(source, format)?;
    let mut arguments: Vec<String> = first.iter().map(ToString::to_string).collect();
    let bounds = ["-v", "error", "-protocol_whitelist", "file,pipe", "-codec_whitelist", CODECS, "-threads", "1"];
    arguments.extend(bounds.map(String::from));
    arguments.extend(["-f", demuxer].map(String::from));
    Ok(arguments)
}

fn ask(source: &Source, limits: &Limits, count: &str) -> Result<Report, MediaError> {
    let mut arguments = opening(source, &["-hide_banner"])?;
    let entries = "stream=index,codec_type,width,height,avg_frame_rate,nb_read_packets,nb_read_frames,sample_rate,\
                   channels,duration:stream_disposition=attached_pic:stream_side_data=rotation:format=duration";
    arguments.extend([count, "-show_entries", entries, "-of", "json", INPUT].map(String::from));
    let mut text = Vec::new();
    run("ffprobe", &arguments, source, limits, |piece| {
        text.extend_from_slice(piece);
        match text.len() {
            ..=REPORT_BYTES => Ok(()),
            _ => Err(source.damaged("it has too many streams")),
        }
    })?;
    serde_json::from_slice(&text)
        .map_err(|error| source.damaged(format!("ffprobe's report is not understood: {error}")))
}

/// An expression over the frame's number `n` that is one for those indices: a tree, as ffmpeg bounds how deep one goes.
fn chosen(indices: &[u64]) -> String {
    match indices {
        [] => "0".to_owned(),
        [index] => format!("eq(n,{index})"),
        _ => {
            let (low, high) = indices.split_at(indices.len() / 2);
            format!("if(lt(n,{}),{},{})", high[0], chosen(low), chosen(high))
        }
    }
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    index: usize,
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    avg_frame_rate: Option<String>,
    nb_read_packets: Option<String>,
    nb_read_frames: Option<String>,
    sample_rate: Option<String>,
    channels: Option<usize>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Default, Deserialize)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Stream {
    /// Covers of songs are streams too.
    fn is_video(&self) -> bool {
        self.codec_type == "video" && self.disposition.attached_pic == 0
    }

    fn video(&self, source: &Source) -> Result<Video, MediaError> {
        let rate = self.avg_frame_rate.as_deref().and_then(fraction);
        let rate = rate.ok_or_else(|| source.damaged("it does not say how many frames make a second"))?;
        let frames = number(self.nb_read_packets.as_ref());
        let frames = frames.ok_or_else(|| source.damaged("its frames cannot be counted"))?;
        let quarter_turns = self.side_data_list.iter().find_map(|data| data.rotation).unwrap_or(0.0) / 90.0;
        let on_its_side = (quarter_turns.round() % 2.0).abs() > 0.5;
        let (width, height) = if on_its_side { (self.height, self.width) } else { (self.width, self.height) };
        Ok(Video { index: self.index, width, height, frames, frames_per_second: rate })
    }

    fn heading(&self, container: Option<&Container>) -> Heading {
        let rate = number(self.sample_rate.as_ref()).and_then(|rate| u32::try_from(rate).ok()).unwrap_or_default();
        let duration = self.duration.as_ref().or(container.and_then(|container| container.duration.as_ref()));
        let seconds = duration.and_then(|seconds| seconds.parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is only compared")]
        let samples = seconds.map(|seconds| (seconds * f64::from(rate)) as u64);
        Heading { rate, channels: self.channels.unwrap_or_default(), samples }
    }
}

fn number(text: Option<&String>) -> Option<u64> {
    text?.parse().ok()
}

/// A positive fraction such as `30000/1001`.
fn fraction(text: &str) -> Option<f64> {
    let (above, below) = text.split_once('/')?;
    let value = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (value.is_finite() && value > 0.0).then_some(value)
}

/// Pictures out of a stream of PPM files (netpbm's `P6`).
#[derive(Default)]
struct Pictures {
    done: Vec<Picture>,
    header: Vec<u8>,
    open: Option<Picture>,
}

impl Pictures {
    fn push(&mut self, mut piece: &[u8], source: &Source, count: usize, limits: &Limits) -> Result<(), MediaError> {
        while !piece.is_empty() {
            let Some(picture) = &mut self.open else {
                self.header.push(piece[0]);
                piece = &piece[1..];
                self.begin(source, count, limits)?;
                continue;
            };
            let missing = bytes(picture.width, picture.height) - picture.pixels.len();
            let (now, later) = piece.split_at(missing.min(piece.len()));
            picture.pixels.extend_from_slice(now);
            piece = later;
            if now.len() == missing {
                self.done.extend(self.open.take());
            }
        }
        Ok(())
    }

    /// Opens a picture when its header is complete, within the limits whatever was stated before.
    fn begin(&mut self, source: &Source, count: usize, limits: &Limits) -> Result<(), MediaError> {
        let odd = || source.damaged("ffmpeg's frames are not understood");
        if self.header.len() > 32 || self.done.len() >= count {
            return Err(odd());
        }
        if !self.header.ends_with(b"\n255\n") {
            return Ok(());
        }
        let text = std::str::from_utf8(&self.header).map_err(|_| odd())?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let &["P6", width, height, _] = words.as_slice() else { return Err(odd()) };
        let (width, height) = (width.parse().map_err(|_| odd())?, height.parse().map_err(|_| odd())?);
        check_size(source, width, height, limits)?;
        check_bytes(source, width, height, self.done.len() as u64 + 1, limits)?;
        self.open = Some(Picture { width, height, pixels: Vec::with_capacity(bytes(width, height)) });
        self.header.clear();
        Ok(())
    }
}

fn bytes(width: u32, height: u32) -> usize {
    width as usize * height as usize * 3
}

/// Refuses frames that would fill more memory than a clip may.
pub(crate) fn check_bytes(
    source: &Source,
    width: u32,
    height: u32,
    frames: u64,
    limits: &Limits,
) -> Result<(), MediaError> {
    let wanted = u64::from(width) * u64::from(height) * 3 * frames;
    if wanted <= limits.clip_bytes {
        return Ok(());
    }
    Err(source.over(
        format!("gives {frames} frames of {width} x {height} pixels, {wanted} bytes"),
        format!("{} bytes of frames a clip", limits.clip_bytes),
        "take fewer frames, scale it down, or raise the limit",
    ))
}
