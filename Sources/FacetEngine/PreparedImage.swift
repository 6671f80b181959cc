public import FacetImage

/// A picture as the vision tower takes it, with the hash that names its content.
///
/// Prepared once and asked about often: keep it for the turns of a conversation. Immutable, and cheap to copy.
public struct PreparedImage: Sendable {
    /// `[3, side, side]`, normalized.
    package let pixels: [Float]

    /// Names the pixels.
    package let hash: ImageHash

    /// Takes pixels that are normalized already.
    package init(pixels: [Float]) {
        self.pixels = pixels
        hash = ImageHash(pixels: pixels)
    }

    /// Loads, decodes, resizes and normalizes a picture: tens of milliseconds of work for a photo.
    ///
    /// - Throws: `.image`.
    public init(
        _ source: ImageSource, limits: ImageLimits = ImageLimits(), _ preprocessor: ImagePreprocessor
    ) throws(EngineError) {
        do { self.init(pixels: try preprocessor(source.bitmap(limits: limits))) } catch { throw .image(error) }
    }
}
