/// Collects the elements of an SVG picture; numbers are written with at most two digits behind the point.
struct SVGCanvas {
    /// Where a text stands relative to its point.
    enum Anchor: String {
        case start
        case middle
        case end
    }

    private var elements: [String] = []

    /// The whole document.
    func document(width: Double, height: Double, title: String) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.number(width)) \(Self.number(height))" \
        width="\(Self.number(width))" height="\(Self.number(height))" role="img" \
        font-family="'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif">
        <title>\(Self.escaped(title))</title>
        <defs>
        <pattern id="streamed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
        <rect width="2.5" height="6" fill="#ffffff" fill-opacity="0.45"/></pattern>
        <pattern id="others" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
        <rect width="6" height="6" fill="#f1f5f9"/><rect width="1.5" height="6" fill="#94a3b8"/></pattern>
        </defs>
        <rect width="\(Self.number(width))" height="\(Self.number(height))" rx="10" fill="#ffffff"/>
        \(elements.joined(separator: "\n"))
        </svg>

        """
    }

    /// A filled rectangle.
    mutating func rectangle(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String, stroke: String? = nil,
        radius: Double = 0
    ) {
        let outline = stroke.map { " stroke=\"\($0)\"" } ?? ""
        let corner = radius > 0 ? " rx=\"\(Self.number(radius))\"" : ""
        elements.append(
            "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" "
                + "height=\"\(Self.number(height))\"\(corner) fill=\"\(fill)\"\(outline)/>")
    }

    /// A line along points.
    mutating func path(_ commands: String, stroke: String, width: Double = 1.2, dashes: String? = nil) {
        let dash = dashes.map { " stroke-dasharray=\"\($0)\"" } ?? ""
        elements.append(
            "<path d=\"\(commands)\" fill=\"none\" stroke=\"\(stroke)\" stroke-width=\"\(Self.number(width))\"\(dash)/>"
        )
    }

    /// A filled shape.
    mutating func shape(_ commands: String, fill: String) {
        elements.append("<path d=\"\(commands)\" fill=\"\(fill)\"/>")
    }

    /// A line of text; a halo keeps lines behind it away from its letters.
    mutating func text(
        _ text: String, _ x: Double, _ y: Double, size: Double = 12, fill: String = "#0f172a",
        anchor: Anchor = .start, isBold: Bool = false, hasHalo: Bool = false
    ) {
        let weight = isBold ? " font-weight=\"600\"" : ""
        let place = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
        let halo = hasHalo ? " paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\"" : ""
        elements.append(
            "<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" font-size=\"\(Self.number(size))\"\(weight)\(place)\(halo) "
                + "fill=\"\(fill)\">\(Self.escaped(text))</text>")
    }

    /// A coordinate.
    static func number(_ value: Double) -> String {
        var text = NumberText.fixed(value, 2)
        while text.hasSuffix("0") { text.removeLast() }
        if text.hasSuffix(".") { text.removeLast() }
        return text
    }

    /// Text without characters that mean something to XML, and without those that it does not allow.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\u{0}"..<"\u{20}", "\u{7F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
