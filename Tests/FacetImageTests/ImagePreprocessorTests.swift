import FacetImage
import Testing

@Suite("Image preprocessor")
struct ImagePreprocessorTests {
    @Test("values are (v / 255 - mean) / std in float32, planes in the order red, green, blue")
    func formula() throws {
        let pixels: [UInt8] = (0..<12).map { UInt8($0 * 23) }  // 2 x 2, so nothing is resized
        let bitmap = try Bitmap(width: 2, height: 2, pixels: pixels)
        let values = try ImagePreprocessor(size: 2)(bitmap)
        #expect(values.count == 12)
        let mean: [Float] = [0.48145466, 0.4578275, 0.40821073]
        let std: [Float] = [0.26862954, 0.26130258, 0.27577711]
        for channel in 0..<3 {
            for i in 0..<4 {
                let value = (Float(pixels[3 * i + channel]) / 255 - mean[channel]) / std[channel]
                #expect(values[channel * 4 + i] == value)
            }
        }
    }

    @Test("mean and deviation can be those of another model")
    func otherNormalization() throws {
        let bitmap = try Bitmap(width: 1, height: 1, pixels: [0, 255, 51])
        let preprocessor = try ImagePreprocessor(size: 1, mean: SIMD3(repeating: 0.5), std: SIMD3(repeating: 0.5))
        #expect(try preprocessor(bitmap) == [-1, 1, (Float(51) / 255 - 0.5) / 0.5])
    }

    @Test("writing into memory gives the same as a new array, resized by the same filter")
    func writing() throws {
        let bitmap = try Bitmap(width: 30, height: 17, pixels: noise(30 * 17 * 3))
        let preprocessor = try ImagePreprocessor(size: 12)
        var written = [Float](repeating: .nan, count: preprocessor.valueCount)
        try written.withUnsafeMutableBufferPointer { target in try preprocessor.write(bitmap, into: target) }
        #expect(written == (try preprocessor(bitmap)))

        let resized = try BicubicResize(width: 12, height: 12)(bitmap)
        #expect(written == (try preprocessor(resized)))
    }

    @Test("a size that is not positive is refused")
    func wrongSize() {
        #expect(throws: ImageError.wrongSize(width: 0, height: 0)) { try ImagePreprocessor(size: 0) }
    }
}
