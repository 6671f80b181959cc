import FacetCheckpoint
import FacetImage
import FacetJSON
package import Foundation

/// The reference cases of a folder of pictures: decoding, resizing, normalization.
///
/// `index.json` names pictures and sizes; `<file>.safetensors` holds what Pillow and torchvision gave:
/// `decoded_rgb` `[H, W, 3]`, `resized_rgb_S` `[S, S, 3]` and, for some, `pixel_values_S` `[3, S, S]`. Resizing and
/// normalization start from the reference's `decoded_rgb`, so that a decoder's rounding is not blamed on them; both must
/// match exactly. So must decoding, but for JPEG: 99 % of the pixels within 2 levels, every sample within 6.
package struct ImageCases: Sendable {
    private let directory: URL
    private let cases: [PictureCase]
    private let sizes: [Int]
    private let mean: SIMD3<Float>
    private let std: SIMD3<Float>

    /// Reads the index of a folder; no picture is opened.
    ///
    /// - Throws: `VerifyError`, and `CheckpointError` for an index that is no JSON.
    package init(directory: URL) throws {
        self.directory = directory
        let path = directory.appendingPathComponent("index.json").path
        let index = try FileContents.json(of: path)
        guard let list = index["cases"]?.array, !list.isEmpty else {
            throw VerifyError.malformed(path: path, reason: "expected a list of cases that is not empty")
        }
        cases = try list.enumerated().map { position, value in
            guard let file = value["file"]?.string, let expected = value["expected"]?.string else {
                throw VerifyError.malformed(path: path, reason: "case \(position) lacks \"file\" or \"expected\"")
            }
            return PictureCase(file: file, expected: expected, format: value["format"]?.string)
        }
        let sizes = index["sizes"]?.array?.map(\.integer) ?? []
        self.sizes = sizes.compactMap { $0 }
        guard self.sizes.count == sizes.count else {
            throw VerifyError.malformed(path: path, reason: "expected \"sizes\" to be integers")
        }
        mean = try Self.channels(index["mean"], "mean", path) ?? ImagePreprocessor.clipMean
        std = try Self.channels(index["std"], "std", path) ?? ImagePreprocessor.clipStd
    }

    /// Runs every case.
    package func run() -> [CaseResult] { cases.flatMap(results) }

    private static func channels(_ value: JSONValue?, _ key: String, _ path: String) throws -> SIMD3<Float>? {
        guard let value else { return nil }
        let numbers = value.array?.compactMap(\.double) ?? []
        guard numbers.count == 3 else {
            throw VerifyError.malformed(path: path, reason: "expected \"\(key)\" to be three numbers")
        }
        return SIMD3(Float(numbers[0]), Float(numbers[1]), Float(numbers[2]))
    }
}

/// One entry of the index.
private struct PictureCase: Sendable {
    let file: String
    let expected: String
    let format: String?

    /// A check that could not be made; counts as failed.
    func failure(_ tensor: String?, _ reason: any Error) -> CaseResult {
        CaseResult(suite: "image", name: file, tensor: tensor, got: "\(reason)", passed: false)
    }
}

// MARK: - One picture

extension ImageCases {
    private func results(_ picture: PictureCase) -> [CaseResult] {
        do {
            let path = directory.appendingPathComponent(picture.expected).path
            let reference = ReferencePixels(try Checkpoint([SafetensorsFile(path: path)], location: path))
            let decoded = try reference.bitmap("decoded_rgb")
            return formatResults(picture) + [decodeResult(picture, decoded)]
                + tensorNames(reference).map { tensorResult($0, picture, reference, decoded) }
        } catch {
            return [picture.failure(nil, error)]
        }
    }

    /// What to compare beside `decoded_rgb`: a resized picture for every size of the index, and all else there is.
    private func tensorNames(_ reference: ReferencePixels) -> [String] {
        let required = sizes.map { "resized_rgb_\($0)" }
        return required + reference.names.filter { $0 != "decoded_rgb" && !required.contains($0) }.sorted()
    }

    private func bytes(_ picture: PictureCase) throws -> [UInt8] {
        try ImageSource.file(path: directory.appendingPathComponent(picture.file).path).load()
    }

    /// Whether the header tells the format that the index states.
    private func formatResults(_ picture: PictureCase) -> [CaseResult] {
        guard let expected = picture.format else { return [] }
        do {
            let got = try ImageDecoder().header(of: bytes(picture), named: picture.file).format.rawValue.uppercased()
            return [
                CaseResult(
                    suite: "image", name: picture.file, tensor: "format", expected: expected, got: got,
                    passed: got == expected.uppercased())
            ]
        } catch {
            return [picture.failure("format", error)]
        }
    }

    private func decodeResult(_ picture: PictureCase, _ expected: Bitmap) -> CaseResult {
        let tensor = "decoded_rgb"
        do {
            let bytes = try bytes(picture)
            let got = try ImageDecoder().decode(bytes, named: picture.file)
            let shape = [expected.height, expected.width, 3]
            let isJPEG = ImageFormat(sniffing: bytes) == .jpeg
            var result = comparison(
                picture, tensor, expected.pixels.map(Double.init), got.pixels.map(Double.init), shape,
                tolerance: isJPEG ? 6 : 0)
            guard isJPEG, expected.pixels.count == got.pixels.count else { return result }
            let closeCount = Self.closePixelCount(expected.pixels, got.pixels)
            let pixelCount = expected.width * expected.height
            result.expected = "99 % of the pixels within 2 levels"
            result.got = "\(closeCount) of \(pixelCount)"
            result.passed = result.passed && closeCount * 100 >= pixelCount * 99
            return result
        } catch {
            return picture.failure(tensor, error)
        }
    }

    /// Pixels whose three samples are all within 2 levels.
    private static func closePixelCount(_ expected: [UInt8], _ got: [UInt8]) -> Int {
        stride(from: 0, to: expected.count, by: 3).count { pixel in
            (pixel..<pixel + 3).allSatisfy { abs(Int(expected[$0]) - Int(got[$0])) <= 2 }
        }
    }

    private func tensorResult(
        _ tensor: String, _ picture: PictureCase, _ reference: ReferencePixels, _ source: Bitmap
    ) -> CaseResult {
        do {
            if let size = Self.size(tensor, after: "resized_rgb_") {
                let expected = try reference.bitmap(tensor)
                let got = try BicubicResize(width: size, height: size)(source)
                return comparison(
                    picture, tensor, expected.pixels.map(Double.init), got.pixels.map(Double.init),
                    [expected.height, expected.width, 3])
            }
            if let size = Self.size(tensor, after: "pixel_values_") {
                let expected = try reference.floats(tensor)
                let got = try ImagePreprocessor(size: size, mean: mean, std: std)(source)
                return comparison(
                    picture, tensor, expected.values.map(Double.init), got.map(Double.init), expected.shape)
            }
            throw VerifyError.malformed(
                path: picture.expected, reason: "tensor \(tensor) is neither resized_rgb_S nor pixel_values_S")
        } catch {
            return picture.failure(tensor, error)
        }
    }

    /// The number at the end of a tensor's name.
    private static func size(_ name: String, after prefix: String) -> Int? {
        name.hasPrefix(prefix) ? Int(name.dropFirst(prefix.count)) : nil
    }

    /// The worst element; lists of unlike length differ whatever is in them.
    private func comparison(
        _ picture: PictureCase, _ tensor: String, _ expected: [Double], _ got: [Double], _ shape: [Int],
        tolerance: Double = 0
    ) -> CaseResult {
        var result = CaseResult(
            suite: "image", name: picture.file, tensor: tensor, tolerance: tolerance, passed: false)
        guard expected.count == got.count else {
            result.expected = "\(expected.count) values of shape \(shape)"
            result.got = "\(got.count) values"
            return result
        }
        var worst = (difference: 0.0, place: 0)
        for place in expected.indices {
            let difference = abs(expected[place] - got[place])
            // A difference that is not a number is the worst there can be.
            if difference > worst.difference || difference.isNaN {
                worst = (difference.isNaN ? .infinity : difference, place)
            }
        }
        result.worst = worst.difference
        result.passed = worst.difference <= tolerance
        if worst.difference > 0 {
            result.index = Self.index(of: worst.place, in: shape)
            result.expected = "\(expected[worst.place])"
            result.got = "\(got[worst.place])"
        }
        return result
    }

    /// The index of an element in a tensor of a shape, outermost dimension first.
    private static func index(of place: Int, in shape: [Int]) -> [Int] {
        var rest = place
        var index: [Int] = []
        for length in shape.reversed() {
            index.append(rest % length)
            rest /= length
        }
        return index.reversed()
    }
}

// MARK: - Reference tensors

/// The tensors of one picture's reference file, read with their shapes checked.
private struct ReferencePixels {
    private let checkpoint: Checkpoint

    init(_ checkpoint: Checkpoint) { self.checkpoint = checkpoint }

    var names: [String] { checkpoint.tensors.map(\.name) }

    /// A tensor `[height, width, 3]` of bytes.
    func bitmap(_ name: String) throws -> Bitmap {
        let entry = try checkpoint.entry(named: name)
        let shape = entry.entry.shape
        guard entry.dtype == .uint8, shape.count == 3, shape[2] == 3 else { throw malformed(entry, "U8 [H, W, 3]") }
        return try Bitmap(width: shape[1], height: shape[0], pixels: entry.withUnsafeBytes { Array($0) })
    }

    /// A float32 tensor of any shape.
    func floats(_ name: String) throws -> (values: [Float], shape: [Int]) {
        let entry = try checkpoint.entry(named: name)
        guard entry.dtype == .float32 else { throw malformed(entry, "F32") }
        let values = entry.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 4).map { offset in
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            }
        }
        return (values, entry.entry.shape)
    }

    private func malformed(_ entry: CheckpointTensor, _ expected: String) -> VerifyError {
        .malformed(
            path: checkpoint.location,
            reason: "tensor \(entry.name) must be \(expected), but is \(entry.dtype) \(entry.entry.shape)")
    }
}
