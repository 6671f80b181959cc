/// Image bytes to RGB through libjpeg-turbo, libpng, libwebp and giflib.
#pragma once
