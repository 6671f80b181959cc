import FacetImage
import Testing

@Suite("Bicubic resize")
struct BicubicResizeTests {
    @Test("noise of many shapes, millions of columns included, is resized as Pillow 10.4 does, bit for bit")
    func matchesPillow() throws {
        let cases = try ImageFixtures.load().resize
        #expect(cases.count >= 15)
        for item in cases {
            let (width, height) = (item.source[0], item.source[1])
            let source = try Bitmap(width: width, height: height, pixels: noise(width * height * 3))
            let result = try BicubicResize(width: item.size[0], height: item.size[1])(source)
            #expect(result.width == item.size[0] && result.height == item.size[1])
            #expect(crc32(result.pixels) == item.crc32, "\(item)")
        }
    }

    @Test("a flat picture stays flat whatever the sizes")
    func flatStaysFlat() throws {
        for (width, height, size) in [(1, 1, 9), (7, 3, 30), (100, 41, 13), (3, 1000, 8), (65, 64, 64)] {
            let pixels = [UInt8](repeating: 201, count: width * height * 3)
            let source = try Bitmap(width: width, height: height, pixels: pixels)
            let result = try BicubicResize(width: size, height: size)(source)
            #expect(result.pixels.allSatisfy { $0 == 201 }, "\(width) x \(height) to \(size)")
        }
    }

    @Test("the same size is the same picture")
    func identity() throws {
        let source = try Bitmap(width: 5, height: 4, pixels: noise(60))
        #expect(try BicubicResize(width: 5, height: 4)(source) == source)
    }

    @Test("sizes that are not positive or absurd are refused")
    func wrongSizes() {
        for (width, height) in [(0, 1), (1, 0), (-1, 5), (Int.max, 1), (1, 1 << 20)] {
            #expect(throws: ImageError.wrongSize(width: width, height: height)) {
                try BicubicResize(width: width, height: height)
            }
        }
    }

    @Test("a bitmap must have three bytes for every pixel and positive sides")
    func bitmapIsChecked() {
        for (width, height, count) in [(2, 2, 11), (0, 5, 0), (-1, -1, 3), (Int.max, Int.max, 3)] {
            let pixels = [UInt8](repeating: 0, count: count)
            #expect(throws: ImageError.wrongPixelCount(width: width, height: height, got: count)) {
                try Bitmap(width: width, height: height, pixels: pixels)
            }
        }
    }

    @Test("a 12-megapixel photograph is resized to 1120 x 1120 in well under a second of CPU")
    func speed() throws {
        let row = noise(4000 * 3)
        let pixels = Array(repeatElement(row, count: 3000).joined())
        let source = try Bitmap(width: 4000, height: 3000, pixels: pixels)
        let resize = try BicubicResize(width: 1120, height: 1120)
        let start = threadSeconds()
        _ = try resize(source)
        // Measured 0.05 s; the bound only catches a lost vectorization or an accidental copy per row.
        #expect(threadSeconds() - start < 0.5)
    }
}
