/// Any picture to the vision tower's input: resized to a square, scaled, normalized, planes one after the other.
///
/// `(v / 255 - mean) / std` in float32, in this order, as `torchvision`'s `ToTensor` and `Normalize` compute it: the
/// result is the same bit for bit. The aspect ratio is not kept, nothing is cropped or padded.
public struct ImagePreprocessor: Sendable {
    /// Pixels on each side of the square.
    public let size: Int

    private let resize: BicubicResize
    private let table: [Float]  // [3, 256]: the value of every byte in every channel

    /// Makes a preprocessor.
    ///
    /// - Parameters:
    ///   - size: pixels on each side, the model's `image_size`.
    ///   - mean: per channel red, green, blue, of values from 0 to 1; the default is CLIP's.
    ///   - std: per channel, not zero; the default is CLIP's.
    /// - Throws: `.wrongSize` when `size` is not from 1 to `BicubicResize.maximumSide`.
    public init(
        size: Int,
        mean: SIMD3<Float> = ImagePreprocessor.clipMean,
        std: SIMD3<Float> = ImagePreprocessor.clipStd
    ) throws(ImageError) {
        resize = try BicubicResize(width: size, height: size)
        self.size = size
        table = (0..<3).flatMap { channel in
            (0..<256).map { (Float($0) / 255 - mean[channel]) / std[channel] }
        }
    }

    /// Mean of CLIP's training pictures, which the model was trained with.
    public static let clipMean = SIMD3<Float>(0.48145466, 0.4578275, 0.40821073)

    /// Standard deviation of CLIP's training pictures, which the model was trained with.
    public static let clipStd = SIMD3<Float>(0.26862954, 0.26130258, 0.27577711)

    /// Floats of one result: `3 · size · size`.
    public var valueCount: Int { 3 * size * size }

    /// The pixel values `[3, size, size]` of a picture.
    public func callAsFunction(_ bitmap: Bitmap) throws(ImageError) -> [Float] {
        let resized = try resize(bitmap)
        return [Float](unsafeUninitializedCapacity: valueCount) { target, initializedCount in
            normalize(resized, into: target)
            initializedCount = valueCount
        }
    }

    /// Writes the pixel values `[3, size, size]` of a picture; `target` must hold `valueCount` floats.
    public func write(_ bitmap: Bitmap, into target: UnsafeMutableBufferPointer<Float>) throws(ImageError) {
        precondition(target.count == valueCount, "the target holds exactly the preprocessor's value count")
        normalize(try resize(bitmap), into: target)
    }

    /// Writes the planes of a picture that has the right size.
    private func normalize(_ bitmap: Bitmap, into target: UnsafeMutableBufferPointer<Float>) {
        let planeCount = size * size
        bitmap.pixels.withUnsafeBufferPointer { pixels in
            table.withUnsafeBufferPointer { table in
                for i in 0..<planeCount {
                    target[i] = table[Int(pixels[3 * i])]
                    target[planeCount + i] = table[256 + Int(pixels[3 * i + 1])]
                    target[2 * planeCount + i] = table[512 + Int(pixels[3 * i + 2])]
                }
            }
        }
    }
}
